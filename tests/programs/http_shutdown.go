// A server of net/http that shuts down when it is told to, `sound` or `broken`: the broken one ends as soon as it serves no
// new clients, which is before the present ones have been served (http.Server.Shutdown).
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "one")
		answer.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond) // what it has to ask others for
		fmt.Fprintln(answer, "two")
	})
	server := &http.Server{Addr: "127.0.0.1:8080"}
	served := make(chan struct{})
	go func() {
		<-told
		server.Shutdown(context.Background())
		close(served)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if os.Args[1] == "sound" {
		<-served
	}
}
