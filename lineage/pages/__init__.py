"""Pages: values in, one self-contained HTML document and its lists out.

A boundary like `lineage.formats`, to whoever reads in a browser. Nothing here looks
anything up: what a page shows comes in as a `values.Quality`, whose people are
pseudonyms and whose rows are those that activities report. ``tables`` turns rows
into a table and into the CSV beside it, both from the same numbers; ``charts`` into
Vega-Lite, which ``drawing`` renders to SVG, so that a page shows without any script;
``crops`` draws what people drew on one object. A section is a function from values
to a `Section` (``overview``, ``agreeing``, ``defining``, ``disputing``, ``people``,
``batches``); ``page`` puts them into one file. Start reading at `page.quality_page`.

The page of suspects is made the same way from a `suspect_values.Suspicion`: `suspects.suspects_page`
takes ``evaluation``, ``effects``, ``paths`` and ``relabelled`` together, and ``suspect_words`` says a
slice in words.

A page has no clock in it: the same values make the same bytes. It refers to nothing
but its own lists.
"""
