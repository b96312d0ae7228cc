-- quarantine: Rejected events of known keys, whole, with the reason.
SELECT * FROM quarantine_all
