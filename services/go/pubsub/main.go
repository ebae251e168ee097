// Command pubsub-emulator serves the in-memory Pub/Sub of Google's own Go client tests on one local address. On another
// it tells what the API of Pub/Sub does not: GET /unacknowledged?topic=projects/P/topics/T is the number of messages of
// the topic that nobody has acknowledged.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"cloud.google.com/go/pubsub/v2/pstest"
)

func main() {
	address := flag.String("address", "127.0.0.1:8085", "host and port to listen on")
	counts := flag.String("counts", "127.0.0.1:8086", "host and port of the counts, over HTTP")
	flag.Parse()

	listener, err := net.Listen("tcp", *counts)
	if err != nil {
		log.Fatal(err)
	}
	server := pstest.NewServerWithAddress(*address)
	fmt.Printf("pubsub emulator listening on %s\n", server.Addr)
	http.Handle("GET /unacknowledged", &unacknowledged{server: server})
	go func() { log.Fatal(http.Serve(listener, nil)) }()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
}

// unacknowledged answers with a number.
type unacknowledged struct {
	server *pstest.Server
	mutex  sync.Mutex // Messages hands out what its next call changes
}

func (u *unacknowledged) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	topic, waiting := request.URL.Query().Get("topic"), 0
	for _, message := range u.server.Messages() {
		if message.Topic == topic && message.Acks == 0 {
			waiting++
		}
	}
	fmt.Fprintln(response, waiting)
}
