package board

// pages are all pages, in the order of the navigation.
func pages() []page {
	return []page{
		portfolioPage(),
		accountPage(),
		whyPage(),
		featuresPage(),
		workflowsPage(),
		segmentsPage(),
		releasesPage(),
		triggersPage(),
		pipelinePage(),
	}
}
