package board

func accountPage() page { return page{path: "/accounts/{account}", title: "Account"} }
