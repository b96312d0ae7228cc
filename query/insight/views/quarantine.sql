-- quarantine: Refused events of known keys, kept whole, with the reason.
SELECT * FROM quarantine_all
