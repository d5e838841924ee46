package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"tidemark/schemas/client"
)

// Example is the connection that docs/sources.md shows.
func Example() {
	standIn := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer standIn.Close()
	COLLECTOR, KEY := standIn.URL, "key"
	DIR, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(DIR) }()

	events, err := client.Open(client.Options{Transport: client.HTTP(COLLECTOR, KEY), Dir: DIR})
	if err != nil {
		panic(err)
	}
	err = events.Send(context.Background(), client.Track{
		Who: client.Who{UserID: "ada", AccountID: "acme"}, Event: "Report Published", Properties: map[string]any{"feature": "reports"}})
	fmt.Println(err)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left, err := events.Close(ctx)
	fmt.Println(left, err)

	// Output:
	// <nil>
	// 0 <nil>
}
