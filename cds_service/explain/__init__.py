"""Pages that explain what stands behind a card: an entry of the knowledge in words, with all it rests on.

In come the knowledge and a key; out goes a page made of headings, tables and lists of one language, for a
template to draw. Nothing here knows a patient, the web or HTML.
"""
