// Package admin serves health, metrics and the configuration in force on an endpoint of its own.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers what the process lacks; an empty answer is good.
type Health interface {
	NotReady() []string
	NotLive() []string
}

// Server is a running endpoint.
type Server struct {
	listener net.Listener
	http     *http.Server
	served   chan error
}

// Start listens at address and serves until Close.
func Start(ctx context.Context, address string, health Health, gatherer prometheus.Gatherer, configuration []byte) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("admin endpoint (admin.listen): %w", err)
	}
	server := &Server{
		listener: listener,
		http:     &http.Server{Handler: handler(health, gatherer, configuration), ReadHeaderTimeout: 5 * time.Second},
		served:   make(chan error, 1),
	}
	go func() { server.served <- server.http.Serve(listener) }() // joined by Close
	return server, nil
}

// Address returns host:port, with the port that the system chose where the configuration says 0.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close lets requests in flight end, for a moment, and stops.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("admin endpoint: %w", err)
	}
	return nil
}

func handler(health Health, gatherer prometheus.Gatherer, configuration []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", probe(health.NotLive))
	mux.Handle("GET /readyz", probe(health.NotReady))
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /config", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/yaml")
		_, _ = writer.Write(configuration) // the client is gone: nobody is left to tell
	})
	return mux
}

// probe answers 200 when nothing is lacking, else 503 and what is, a line each.
func probe(lacking func() []string) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
		if problems := lacking(); len(problems) > 0 {
			http.Error(writer, strings.Join(problems, "\n"), http.StatusServiceUnavailable)
			return
		}
		_, _ = writer.Write([]byte("ok\n")) // the client is gone: nobody is left to tell
	})
}
