"""In: a PatientState and the knowledge. Out: a Recommendation with its whole trace. Pure."""
