-- catalogue: One row per product that is in the catalogue now, with its newest version.
SELECT * EXCLUDE (removed, valid_to)
FROM catalogue_history
WHERE valid_to IS NULL AND NOT removed
