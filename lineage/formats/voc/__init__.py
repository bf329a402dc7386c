"""Pascal VOC: one XML file an image, alone or in a folder of any layout, read and written.

What the format says: the image's name and size, and objects, each with a class, a box, four
attributes (``difficult``, ``truncated``, ``occluded``, ``pose``), and whatever its tool adds: a polygon,
a turned box, attributes by name, parts. What it does not say: ids, people (but for one
``<source><annotator>`` of the whole file), times, and whether pixels count from 0 or from 1. That last
is the caller's to know (`ReadOptions.pixel_base`), never guessed from numbers, and stands in the notes.

Decisions, each with a test:

- The file's own name says which image it is about, as the devkit and every trainer have it.
  ``<filename>`` gives the ending and the folder while it agrees; where it does not (stale copies,
  ImageNet's ``%s``), it is kept as the image's address and counted. A name without an ending stays so.
- A file without objects says that somebody looked and found nothing; no file says nothing. Images
  that image sets name and that have no file are ``not_started``.
- Swapped corners and boxes without area go on as they are: the schema check refuses them.
- The most exact place of an object is its label: turned box before polygon before box. A box that is
  not the one around it is counted as ``box-differs``.
- Parts are no labels: they stay in ``extra.xml``, and are counted. So do all elements unknown here.
- One unreadable file of a folder is quarantined whole and the others go in.

`write` puts what only the ledger knows into ``<lineage>`` elements, which other readers pass by. No
image gets a file without objects unless somebody went through it and found nothing.

Start reading at `read`; `document` is the parser, and the only place that sees bytes.
"""
