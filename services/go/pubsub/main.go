// Command pubsub-emulator serves the in-memory Pub/Sub of Google's own Go client tests on one local address.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	address := flag.String("address", "127.0.0.1:8085", "host and port to listen on")
	flag.Parse()

	server := pstest.NewServerWithAddress(*address)
	fmt.Printf("pubsub emulator listening on %s\n", server.Addr)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
}
