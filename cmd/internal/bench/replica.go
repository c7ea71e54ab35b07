//go:build cgo

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	prometheusmodel "github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/model"
)

// replica is one winnow run as a process of its own.
type replica struct {
	process *exec.Cmd
	folder  string
	address string // of its admin endpoint
	log     bytes.Buffer
	exited  chan struct{} // closed once err is set
	err     error
}

const (
	startTimeout = 2 * time.Minute // loading and warming up, with others doing the same
	stopTimeout  = time.Minute
	readyEvery   = 20 * time.Millisecond
)

// startReplica starts this program again as winnow run with exactly settings, and returns once it is ready.
func startReplica(ctx context.Context, settings config.Config, name string) (*replica, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	settings.Kafka.Replica, settings.Admin.Listen, settings.Log.Level = name, address, "warn"
	r := &replica{address: address, exited: make(chan struct{})}
	if r.folder, err = os.MkdirTemp("", "winnow-bench-"); err != nil {
		return nil, err
	}
	if err := r.start(settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.folder))
	}
	if err := r.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *replica) start(settings config.Config) error {
	content, err := yaml.Marshal(settings)
	if err != nil {
		return err
	}
	file := filepath.Join(r.folder, "gate.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	r.process = exec.Command(executable, "run", "--config", file) //nolint:noctx // it is stopped in order, not killed
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, config.EnvironmentPrefix) || model.ReadsVariable(name) {
			r.process.Env = append(r.process.Env, variable)
		}
	}
	r.process.Stdout, r.process.Stderr = &r.log, &r.log
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("start a replica: %w", err)
	}
	go func() { // joined by stop, which waits for exited
		defer close(r.exited)
		if r.err = r.process.Wait(); r.err == nil {
			r.err = errors.New("exit code 0")
		}
	}()
	return nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine, at once
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (r *replica) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.exited:
			return fmt.Errorf("a replica ended while starting: %w\n%s", r.err, r.log.String())
		case <-ctx.Done():
			return fmt.Errorf("a replica is not ready: %w\n%s", ctx.Err(), r.log.String())
		case <-ticker.C:
		}
		if response, err := r.get(ctx, "/readyz"); err == nil {
			if err := response.Body.Close(); err == nil && response.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// onExit calls with the reason once the process ends by itself; the returned function stops that and waits.
func (r *replica) onExit(call func(error)) (stop func()) {
	stopping, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-r.exited:
			call(fmt.Errorf("a replica ended: %w\n%s", r.err, r.log.String()))
		case <-stopping:
		}
	}()
	return func() {
		close(stopping)
		<-watched
	}
}

func (r *replica) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

func (r *replica) read(ctx context.Context) (reading, error) {
	response, err := r.get(ctx, "/metrics")
	if err != nil {
		return reading{}, fmt.Errorf("metrics of a replica: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(prometheusmodel.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return reading{}, fmt.Errorf("metrics of a replica: %w", err)
	}
	return readingOf(families), nil
}

// stop asks the replica to end and waits until it has.
func (r *replica) stop() error {
	problems := []error{r.process.Process.Signal(syscall.SIGTERM)}
	select {
	case <-r.exited:
		if !r.process.ProcessState.Success() {
			problems = append(problems, fmt.Errorf("a replica: %w\n%s", r.err, r.log.String()))
		}
	case <-time.After(stopTimeout):
		problems = append(problems, fmt.Errorf("a replica did not stop within %v", stopTimeout), r.process.Process.Kill())
		<-r.exited
	}
	return errors.Join(append(problems, os.RemoveAll(r.folder))...)
}
