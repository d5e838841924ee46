{{- /* data: adopted; over the features that were used */ -}}
    toUInt64(length({{.Entitled}})) AS key_features_entitled,
    toUInt64(arrayCount(x -> x.2 >= {{.MinUsers}} AND has({{.Entitled}}, x.1), {{.Used}})) AS key_features_adopted,
    if(key_features_entitled > 0, key_features_adopted / key_features_entitled, NULL) AS breadth,
    if(arraySum(x -> if(has({{.Entitled}}, x.1), x.2, 0), {{.Used}}) > 0,
        arraySum(x -> if(has({{.Entitled}}, x.1), x.3, 0), {{.Used}}) / arraySum(x -> if(has({{.Entitled}}, x.1), x.2, 0), {{.Used}}), NULL) AS depth