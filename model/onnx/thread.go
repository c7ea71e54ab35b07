package onnx

import "runtime"

// thread is one operating-system thread that runs what it is given, one function after the other. CUDA keeps handles and
// workspace for every thread that ever calls it; without this, each thread that Go moves a worker to would add its own.
type thread struct {
	work  chan func()
	ended chan struct{}
}

func startThread() *thread {
	t := &thread{work: make(chan func()), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for run := range t.work {
			run()
		}
	}()
	return t
}

// do runs a function there and waits for it.
func (t *thread) do(run func()) {
	done := make(chan struct{})
	t.work <- func() {
		defer close(done)
		run()
	}
	<-done
}

// stop waits for what runs and ends the thread.
func (t *thread) stop() {
	close(t.work)
	<-t.ended
}
