package board

func pipelinePage() page { return page{path: "/pipeline", title: "Pipeline", nav: "Pipeline"} }
