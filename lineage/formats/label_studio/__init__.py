"""Label Studio JSON: the export of record, the one that keeps who and when.

A file is a list of tasks; a task has the answers of several people
(``annotations``), models (``predictions``) and unfinished work (``drafts``); an answer
is a list of result rows, of which several may speak of one region. Coordinates
are percent of the original size; rotation is clockwise about the top-left
corner, in px. `read` walks tasks, `images` finds what a task is about, `regions` merges rows into
labels, `values` turns percent into px, `brush` unpacks Label Studio's own run-length stream, `facts` says
who, when, how and how far, with what `write`, which goes back, said of it before.
"""
