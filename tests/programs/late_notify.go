// A child is started, and only then is its end asked for: signal.Notify comes too late if the child has ended by then. What a
// signal does that nobody has asked for is nothing, so the program waits for ever.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD) // HERE: too late
	<-ended
	if err := child.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
