package config

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/stretchr/testify/require"
)

// docker compose accepts the file, every service waits for what it needs, and each gate's environment is a valid
// configuration with a replica name of its own.
func TestCompose_IsValidAndConfiguresEveryGate(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../../docker-compose.yml"}, cli.WithInterpolation(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	replicas := map[string]bool{}
	for _, name := range []string{"topics", "first", "second", "generator"} {
		service, err := project.GetService(name)
		require.NoError(t, err)
		require.NotEmpty(t, service.DependsOn)
		var environment []string
		for key, value := range service.Environment {
			environment = append(environment, key+"="+*value)
		}
		settings, err := Load("", environment)
		require.NoError(t, err, name)
		require.Equal(t, []string{"kafka:9092"}, settings.Kafka.Brokers)
		if settings.Kafka.Replica != "" {
			require.False(t, replicas[settings.Kafka.Replica], "two replicas called %s would fence each other", settings.Kafka.Replica)
			replicas[settings.Kafka.Replica] = true
		}
	}
	require.Len(t, replicas, 2)
}
