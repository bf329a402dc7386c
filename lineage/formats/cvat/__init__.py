"""CVAT for images 1.1 (and its video form): one XML file a task, a job or a whole project.

What the format says: images by name and size, shapes in px under them, tracks of
shapes for videos, and in ``<meta>`` the labels, the owner and the assignee of
each task. What it does not say: ids of shapes, who drew each, when, and whether
an image without shapes was looked at.

Who drew a label is therefore, in this order: the assignee of the task or job;
the caller's flag; the annotator that `lineage` itself wrote on the shape; the
owner of the task or job (never of a project). ``extra.annotator_from`` says which
it was; when none of them is there, nobody is named. The one mention of time, the
task's or job's ``updated``, is no label's: it dates its answers (the roster), none
of which can have been given later.

``extra`` holds what is not CVAT's default: ``occluded``, ``z_order``, ``source``,
``group_id``, ``task_id``, ``subset``, ``track`` and ``frame``, the parameters of an ellipse,
the names of a skeleton's points, and ``lineage``, the provenance that `write` puts on
shapes. Shapes of source ``auto`` are a model's, so they are on nobody's roster. An image
without shapes is on the roster, as empty, only where the export says that its job is
completed and names who did it (an owner will not do); how far an image is comes from the
same words (`meta`), and from the file that `write` puts beside (`aside`). An image of which nothing
is said is counted as a loss.

Start reading at `read`; `document` is the parser, and the only place that sees XML.
"""
