"""CVAT's REST answers as a folder: jobs, tasks, labels, annotations, issues and comments.

What the answers say and no export does: ids of shapes and tags, who is assigned to
each job, its stage and state, which jobs are ground truth, and the issues of
reviewers with their comments. What they do not say: who drew a shape, and when.

The folder holds what the server answers, each as it comes, pages joined:
``jobs.json`` (``GET /api/jobs``), ``tasks.json``, ``labels.json``, ``issues.json``,
``comments.json``, and ``annotations.json``, an object ``{"job": {ID: GET
/api/jobs/ID/annotations}}``. What stands there under ``task`` repeats the jobs' and is not
read. ``frames.json``, ``{TASK: GET /api/tasks/TASK/data/meta}``, may stand beside: without it
images have no names but ``task_9/frame_000005`` and no sizes, and masks cannot be placed.

Who labelled is, in this order, the assignee of the job, of its task, the caller's
flag, the owner of the task; ``extra.annotator_from`` says which. Nobody is taken for the author of
ground truth but the assignee of its job: an owner would be scored against themself.

Start reading at `read`; `folder` is the only place that sees JSON, `elements` makes of a
shape what CVAT's XML would say, so that both have one geometry (`lineage.formats.cvat.shapes`).
"""
