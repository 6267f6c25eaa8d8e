// Package bill has the prices of AWS, and what a deployment costs without any traffic.
package bill

import "math"

// Units of the prices.
const (
	MonthHours   = 730
	MonthSeconds = MonthHours * 3600
	GiB          = 1 << 30
)

// Prices in US dollars: list prices of us-east-1, checked on 2026-11-23 against public
// pages, without free tiers and discounts. Prices that were not found on a page are
// marked "not verified".
const (
	// Checked is the date of that check.
	Checked = "2026-11-23"

	// https://aws.amazon.com/lambda/pricing/
	LambdaRequest = 0.20 / 1e6
	// https://aws.amazon.com/sqs/pricing/ (not verified)
	SQSRequest = 0.40 / 1e6
	// https://aws.amazon.com/kinesis/data-streams/pricing/ (dollars by
	// https://www.trek10.com/blog/amazon-kinesis-data-streams-on-demand-vs.-provisioned-billing-mode-cost-comparison)
	ShardHour          = 0.015
	PutUnit            = 0.014 / 1e6
	PutUnitBytes       = 25 << 10
	OnDemandStreamHour = 0.04
	OnDemandIn         = 0.08 // for each GiB, records rounded up to 1 KiB
	OnDemandOut        = 0.04 // for each GiB
	OnDemandUnit       = 1 << 10
	// https://aws.amazon.com/firehose/pricing/ (the rounding verified)
	FirehoseUnit = 5 << 10
	// https://aws.amazon.com/s3/pricing/ (not verified)
	S3Put = 5.0 / 1e6
	// https://aws.amazon.com/cloudwatch/pricing/ (the highest tier of the logs)
	LogGiB         = 0.50
	MetricMonth    = 0.30
	AlarmMonth     = 0.10
	DashboardMonth = 3.0
	// https://aws.amazon.com/privatelink/pricing/
	EndpointHour = 0.01
	// https://aws.amazon.com/ec2/pricing/on-demand/ (not verified)
	CrossZoneGiB = 0.01
	// https://aws.amazon.com/secrets-manager/pricing/ (not verified)
	SecretMonth = 0.40

	// https://aws.amazon.com/kms/pricing/ (not verified)
	KMSRequest = 0.03 / 10_000
	// https://aws.amazon.com/elasticache/pricing/ ElastiCache Serverless for Valkey (not
	// verified). The minimum is billed for an empty cache.
	ServerlessGiBHour    = 0.084
	ServerlessMinimumGiB = 0.1
	ECPU                 = 0.0023 / 1e6

	// MeteredBytes is the size up to which an HTTP API bills a request once.
	// https://aws.amazon.com/api-gateway/pricing/
	MeteredBytes = 512 << 10
)

// Tier is a price up to a quantity, in the unit of its table.
type Tier struct{ UpTo, Price float64 }

// Prices by tiers.
var (
	// https://aws.amazon.com/api-gateway/pricing/ by requests
	APIRequests = []Tier{{300e6, 1.00 / 1e6}, {math.Inf(1), 0.90 / 1e6}}
	// https://aws.amazon.com/ec2/pricing/on-demand/ by GiB out to the internet (not verified)
	TransferOut = []Tier{{10 << 10, 0.09}, {50 << 10, 0.085}, {150 << 10, 0.07}, {math.Inf(1), 0.05}}
	// https://aws.amazon.com/lambda/pricing/ by GB-seconds of arm64
	LambdaARM = []Tier{{7.5e9, 0.0000133334}, {18.75e9, 0.0000120001}, {math.Inf(1), 0.0000106667}}
	// https://aws.amazon.com/firehose/pricing/ by GiB (not verified)
	FirehoseGiB = []Tier{{500 << 10, 0.029}, {2000 << 10, 0.025}, {math.Inf(1), 0.020}}
	// https://aws.amazon.com/s3/pricing/ by GiB and month (not verified)
	S3GiB = []Tier{{50 << 10, 0.023}, {500 << 10, 0.022}, {math.Inf(1), 0.021}}
	// https://aws.amazon.com/privatelink/pricing/ by GiB
	EndpointGiB = []Tier{{1 << 20, 0.01}, {5 << 20, 0.006}, {math.Inf(1), 0.004}}
)

// Priced returns the price of a quantity by tiers.
func Priced(tiers []Tier, quantity float64) float64 {
	dollars, from := 0.0, 0.0
	for _, t := range tiers {
		if quantity <= from {
			break
		}
		dollars += (min(quantity, t.UpTo) - from) * t.Price
		from = t.UpTo
	}
	return dollars
}

// LambdaDollars returns the price of a function for a month.
func LambdaDollars(invocationsPerSecond, concurrency float64, memory int) float64 {
	gbSeconds := concurrency * MonthSeconds * float64(memory) / 1024
	return invocationsPerSecond*MonthSeconds*LambdaRequest + Priced(LambdaARM, gbSeconds)
}

// NodeHour has the price of an hour of a cache node with Valkey, a fifth less than with
// Redis OSS, by its type.
// https://aws.amazon.com/elasticache/pricing/ (not verified)
var NodeHour = map[string]float64{
	"cache.t4g.small": 0.0256, "cache.t4g.medium": 0.052, "cache.m7g.large": 0.1264, "cache.r7g.large": 0.1752, "cache.r7g.xlarge": 0.3496,
	"cache.r7g.2xlarge": 0.6984, "cache.r7g.4xlarge": 1.3968, "cache.r7g.8xlarge": 2.7936, "cache.r7g.16xlarge": 5.5872,
}
