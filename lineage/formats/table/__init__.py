"""Tables: any CSV, Parquet or NDJSON with one row a label, read by a mapping file.

What a table says: whatever its columns hold. What it does not say: what they mean,
so a mapping names it, column by column, and nothing is guessed from an order or a
number's looks. `mapping.parse` checks the mapping document whole; `draft.draft`
writes a first one from a file's columns, for a person to read and mend.

The way of a row: `source` hands out blocks of cells as text, with the line each row
begins on (`sheet`, `rows_of_json`, or Parquet); `plan` finds the cells behind every field;
`answers` takes a row apart that holds several labels in one JSON cell; `given` holds what
each field says, and what is wrong with it; `standing` tells labels from answers without one;
`images`, `shapes`, `moments` and `facts` turn cells into names, pixels, times and attributes,
whole columns at a time; `roster` remembers who was asked; `read` puts them together. Text
stays text: ids, names and versions are never read as numbers. A cell that is not what its
field needs refuses its label, and the violation names line and column.
"""
