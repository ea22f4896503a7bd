"""In: a Recommendation. Out: CDS cards and orders as JSON objects. No decision is made here."""
