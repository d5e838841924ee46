SELECT segment, accounts, if(key_features_entitled > 0, key_features_adopted / key_features_entitled, NULL) AS adopted, breadth_median, depth_median
FROM segment_adoption_28d
WHERE window_start = @from
ORDER BY segment
