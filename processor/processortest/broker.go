package processortest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// LibsVariable names the folder of Apache Kafka's jars, which broker/fetch fills.
const LibsVariable = "KAFKA_LIBS"

const properties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
`

// StartBroker starts one Apache Kafka node in KRaft mode and returns its address once it answers. The test stops it.
func StartBroker(t *testing.T) string {
	t.Helper()
	libs := os.Getenv(LibsVariable)
	require.NotEmpty(t, libs, "%s is not set: run make test-broker, which fetches the broker", LibsVariable)
	folder := t.TempDir()
	port, controller := freePort(t), freePort(t)
	configuration := filepath.Join(folder, "server.properties")
	require.NoError(t, os.WriteFile(configuration, fmt.Appendf(nil, properties, port, controller, filepath.Join(folder, "data")), 0o600))
	classpath := filepath.Join(libs, "*")
	format := exec.Command("java", "-cp", classpath, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", configuration)
	output, err := format.CombinedOutput()
	require.NoError(t, err, "%s", output)

	var log bytes.Buffer
	process := exec.Command("java", "-Xmx512m", "-cp", classpath, "kafka.Kafka", configuration)
	process.Stdout, process.Stderr = &log, &log
	require.NoError(t, process.Start())
	exited := make(chan error, 1)
	go func() { exited <- process.Wait() }()
	t.Cleanup(func() {
		require.NoError(t, process.Process.Kill())
		<-exited
		if t.Failed() {
			t.Logf("broker:\n%s", log.String())
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	awaitBroker(t, address, exited, &log)
	return address
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// awaitBroker asks until the broker answers. It asks rather than waits: nothing tells from outside when Kafka is ready.
func awaitBroker(t *testing.T, address string, exited <-chan error, log *bytes.Buffer) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for {
		if client.Ping(ctx) == nil {
			return
		}
		select {
		case err := <-exited:
			t.Fatalf("the broker ended before it answered: %v\n%s", err, log.String())
		case <-ctx.Done():
			t.Fatalf("the broker did not answer within 90 s")
		default:
		}
	}
}
