"""A world with planted faults: street scenes, annotators with habits, and the exports of their tools.

For the demo, for tests that need to know the truth, and for planning: what
would a QA policy find? What lives here: the scenes (`scenes`), what people make
of them (`people`), pictures (`draw`), the tools' files (`exports`), and the order of
it all (`world`); and people who answer packets of images in it: `reviewers`, who decide
between candidates as `seniors` and write `answers`. Everything follows from a seed,
block by block, so that the same settings give the same bytes on any machine and in
any chunking. Start reading at `world.simulate`.
"""

from lineage.simulate.reviewers import AnswerReport, answer
from lineage.simulate.settings import WorldSettings, from_params
from lineage.simulate.world import WorldReport, simulate

__all__ = ["AnswerReport", "WorldReport", "WorldSettings", "answer", "from_params", "simulate"]
