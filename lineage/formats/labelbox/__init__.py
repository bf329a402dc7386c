"""Labelbox exports: v2, a data row a line (NDJSON, or one array), and v1, a JSON list of labels.

What the format says: an image (``data_row``), and for each project that it stands in its labels, each
one person's work with its author, times, reviews, scores and shapes in px; besides them where
the image stands in the project's workflow. What it does not say: who drew a single shape (the
author is the label's), and the pixels of a mask, of which it gives an address behind a key.
Most blocks are options of the export: without ``label_details`` nobody is named, without
``performance_details`` a skipped image looks empty.

Names are those that people see (``name``, ``title``); the ontology's own ``value`` and
``feature_schema_id``, which outlives renaming, stand in ``extra``, with the label's id, project, batch, task,
reviews, scores and workflow history. People whom ``extra`` mentions are marked (`lineage.formats.mentions`). A
question about the whole image is as in the Label Studio reader: every option chosen is a
class, and ``extra.question`` says what was asked.

`read` walks rows; `elements` has their types, `older` turns v1 into v2, `images` names the image and tells
other media, `shapes` and `answers` read what was drawn and answered, `facts` who, when and how far.
Payloads for uploading labels look alike, and name neither a person nor a time: they are refused.
"""
