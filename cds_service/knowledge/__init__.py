"""In: the YAML files of mappings/, pathways/ and cards/. Out: frozen objects. No patient may be here."""
