"""YOLO: a text file an image, a row a label, numbers as fractions of the image's sides.

What the format says: a class by its number, and a box, an outline, corners or key points. What it
does not say: which of these a row is, what the class is called, how large the image is, who made
it, when, and whether an image without a file was looked at. So a reader needs the rest of the
folder, and where that does not tell, it refuses rather than guesses.

- *Where things are* (`declare`, `listing`, `naming`). ``data.yaml``, ``obj.data`` or ``classes.txt`` names the
  classes; images are paired with label files by the trainer's own rule. Paths that such files
  give are those of the machine that wrote them: only their ends are looked for, within the folder.
- *What a row is* (`tasks`). By its number of columns; nine columns may be an oriented box or a polygon of
  four points, and then the whole folder is looked at. A box beside longer rows in one file is
  refused, for the trainer would take it for two points. A trailing confidence makes a row a model's.
- *How large images are* (`images`). From the header of the file, else from the record; without a size there are
  no pixels, and the label waits in the violations table. Corners become an oriented box in pixels
  only (`quads`): in fractions of an image that is not square, a turned rectangle has no right angles.
- *How far images are* (`answers`). A file with rows: complete; an empty one: complete and empty; none:
  not started. The trainer calls the last two backgrounds alike; here they are told apart.

Six digits round: a box that comes back has moved by up to a millionth of the image's side
(`quads.PRECISION`), and is the same box. Our own folder (`write`) rounds nothing, and carries what rows
cannot in side files: ``attributions.csv``, ``assets.csv``, ``completeness.csv`` (`aside`).

Start reading at `read`, then `numbers`: files are parsed many at a time, no line in Python.
"""
