package admin

import (
	"io"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

type state struct{ ready, live []string }

func (s state) NotReady() []string { return s.ready }
func (s state) NotLive() []string  { return s.live }

func get(t *testing.T, health Health, path string) (int, string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "winnow_test_total", Help: "A counter."}))
	server, err := Start(t.Context(), "127.0.0.1:0", health, registry, []byte("kafka: {}\n"))
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	response, err := http.Get("http://" + server.Address() + path)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestServer_ReadyzNamesWhatIsNotReady(t *testing.T) {
	status, body := get(t, state{ready: []string{"the model is not loaded", "no assignment"}}, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "the model is not loaded\nno assignment\n", body)
	status, body = get(t, state{}, "/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ok\n", body)
}

func TestServer_LivezNamesTheLaneThatIsStuck(t *testing.T) {
	status, body := get(t, state{live: []string{"lane 1 has worked on one poll for 6m0s"}}, "/livez")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "lane 1")
	status, _ = get(t, state{ready: []string{"not ready is no reason to be restarted"}}, "/livez")
	require.Equal(t, http.StatusOK, status)
}

func TestServer_ServesMetricsAndTheConfiguration(t *testing.T) {
	_, body := get(t, state{}, "/metrics")
	require.Contains(t, body, "winnow_test_total 0")
	_, body = get(t, state{}, "/config")
	require.Equal(t, "kafka: {}\n", body)
	status, _ := get(t, state{}, "/")
	require.Equal(t, http.StatusNotFound, status)
}

func TestStart_NamesTheAddressThatIsTaken(t *testing.T) {
	first, err := Start(t.Context(), "127.0.0.1:0", state{}, prometheus.NewRegistry(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Close()) }()
	_, err = Start(t.Context(), first.Address(), state{}, prometheus.NewRegistry(), nil)
	require.ErrorContains(t, err, "admin.listen")
	require.ErrorContains(t, err, first.Address())
}
