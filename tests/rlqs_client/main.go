// A data plane of Envoy's Rate Limit Quota Service, as its protos' documentation has it: reports the usage of one bucket every
// half second, and prints each action that it is told, as one object of JSON a line.
//
//	rlqs-client HOST:PORT DOMAIN NAME ALLOWED DENIED SECONDS
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	rlqs "github.com/envoyproxy/go-control-plane/envoy/service/rate_limit_quota/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
)

const interval = 500 * time.Millisecond

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], number(4), number(5), number(6)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(at int) uint64 {
	n, err := strconv.ParseUint(os.Args[at], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func run(address, domain, name string, allowed, denied, seconds uint64) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	defer cancel()
	stream, err := rlqs.NewRateLimitQuotaServiceClient(connection).StreamRateLimitQuotas(ctx)
	if err != nil {
		return err
	}
	go func() {
		bucket := &rlqs.BucketId{Bucket: map[string]string{"name": name}}
		// The first report is a subscription; only it names the domain.
		said := domain
		for {
			usage := &rlqs.RateLimitQuotaUsageReports_BucketQuotaUsage{
				BucketId: bucket, TimeElapsed: durationpb.New(interval), NumRequestsAllowed: allowed, NumRequestsDenied: denied,
			}
			reports := &rlqs.RateLimitQuotaUsageReports{
				Domain: said, BucketQuotaUsages: []*rlqs.RateLimitQuotaUsageReports_BucketQuotaUsage{usage},
			}
			if stream.Send(reports) != nil {
				return
			}
			said = ""
			time.Sleep(interval)
		}
	}()
	for {
		answer, err := stream.Recv()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, action := range answer.BucketAction {
			fmt.Println(protojson.MarshalOptions{EmitUnpopulated: true}.Format(action))
		}
	}
}
