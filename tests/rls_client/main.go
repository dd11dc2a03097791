// A client of Envoy's rate limit service v3, on the stubs of go-control-plane: what Envoy itself would send.
//
//	rls_client ADDRESS DOMAIN COUNT HITS KEY=VALUE [KEY=VALUE …]
//
// asks COUNT times with HITS (0: not set) and one descriptor for each KEY=VALUE, and prints each answer as one line of JSON.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	common "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimit "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	if len(os.Args) < 5 {
		fail(fmt.Errorf("rls_client ADDRESS DOMAIN COUNT HITS KEY=VALUE …"))
	}
	count, err := strconv.Atoi(os.Args[3])
	fail(err)
	hits, err := strconv.ParseUint(os.Args[4], 10, 32)
	fail(err)
	request := &ratelimit.RateLimitRequest{Domain: os.Args[2], HitsAddend: uint32(hits)}
	for _, pair := range os.Args[5:] {
		key, value, _ := strings.Cut(pair, "=")
		entry := &common.RateLimitDescriptor_Entry{Key: key, Value: value}
		request.Descriptors = append(request.Descriptors, &common.RateLimitDescriptor{
			Entries: []*common.RateLimitDescriptor_Entry{entry},
		})
	}

	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	fail(err)
	defer connection.Close()
	context, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	named := &health.HealthCheckRequest{Service: "envoy.service.ratelimit.v3.RateLimitService"}
	healthy, err := health.NewHealthClient(connection).Check(context, named)
	fail(err)
	if healthy.Status != health.HealthCheckResponse_SERVING {
		fail(fmt.Errorf("the service is %v", healthy.Status))
	}
	client := ratelimit.NewRateLimitServiceClient(connection)
	for range count {
		answer, err := client.ShouldRateLimit(context, request)
		fail(err)
		text, err := protojson.Marshal(answer)
		fail(err)
		fmt.Println(string(text))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
