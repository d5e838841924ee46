SELECT declared FROM catalogues ORDER BY at DESC LIMIT 1
