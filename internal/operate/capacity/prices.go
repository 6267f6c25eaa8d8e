package main

import "math"

// Prices in US dollars: list prices of us-east-1, checked on 2026-11-23 against public
// pages, without free tiers and discounts. Prices that were not found on a page are
// marked "not verified".
const (
	pricesChecked = "2026-11-23"

	monthHours   = 730
	monthSeconds = monthHours * 3600
	gib          = 1 << 30

	// https://aws.amazon.com/lambda/pricing/
	lambdaRequest = 0.20 / 1e6
	// https://aws.amazon.com/sqs/pricing/ (not verified)
	sqsRequest = 0.40 / 1e6
	// https://aws.amazon.com/kinesis/data-streams/pricing/ (dollars by
	// https://www.trek10.com/blog/amazon-kinesis-data-streams-on-demand-vs.-provisioned-billing-mode-cost-comparison)
	shardHour          = 0.015
	putUnit            = 0.014 / 1e6
	putUnitBytes       = 25 << 10
	onDemandStreamHour = 0.04
	onDemandIn         = 0.08 // for each GiB, records rounded up to 1 KiB
	onDemandOut        = 0.04 // for each GiB
	onDemandUnit       = 1 << 10
	// https://aws.amazon.com/firehose/pricing/ (the rounding verified)
	firehoseUnit = 5 << 10
	// https://aws.amazon.com/s3/pricing/ (not verified)
	s3Put = 5.0 / 1e6
	// https://aws.amazon.com/cloudwatch/pricing/ (the highest tier of the logs)
	logGiB      = 0.50
	metricMonth = 0.30
	alarmMonth  = 0.10
	dashboard   = 3.0
	// https://aws.amazon.com/privatelink/pricing/
	endpointHour = 0.01
	// https://aws.amazon.com/ec2/pricing/on-demand/ (not verified)
	crossZoneGiB = 0.01
	// https://aws.amazon.com/secrets-manager/pricing/ (not verified)
	secretMonth = 0.40

	// meteredBytes is the size up to which an HTTP API bills a request once.
	// https://aws.amazon.com/api-gateway/pricing/
	meteredBytes = 512 << 10
)

// tier is a price up to a quantity, in the unit of its table.
type tier struct{ upTo, price float64 }

var (
	// https://aws.amazon.com/api-gateway/pricing/ by requests
	apiRequests = []tier{{300e6, 1.00 / 1e6}, {math.Inf(1), 0.90 / 1e6}}
	// https://aws.amazon.com/ec2/pricing/on-demand/ by GiB out to the internet (not verified)
	transferOut = []tier{{10 << 10, 0.09}, {50 << 10, 0.085}, {150 << 10, 0.07}, {math.Inf(1), 0.05}}
	// https://aws.amazon.com/lambda/pricing/ by GB-seconds of arm64
	lambdaARM = []tier{{7.5e9, 0.0000133334}, {18.75e9, 0.0000120001}, {math.Inf(1), 0.0000106667}}
	// https://aws.amazon.com/firehose/pricing/ by GiB (not verified)
	firehoseGiB = []tier{{500 << 10, 0.029}, {2000 << 10, 0.025}, {math.Inf(1), 0.020}}
	// https://aws.amazon.com/s3/pricing/ by GiB and month (not verified)
	s3GiB = []tier{{50 << 10, 0.023}, {500 << 10, 0.022}, {math.Inf(1), 0.021}}
	// https://aws.amazon.com/privatelink/pricing/ by GiB
	endpointGiB = []tier{{1 << 20, 0.01}, {5 << 20, 0.006}, {math.Inf(1), 0.004}}
)

// priced returns the price of a quantity by tiers.
func priced(tiers []tier, quantity float64) float64 {
	dollars, from := 0.0, 0.0
	for _, t := range tiers {
		if quantity <= from {
			break
		}
		dollars += (min(quantity, t.upTo) - from) * t.price
		from = t.upTo
	}
	return dollars
}

// lambdaDollars returns the price of a function for a month.
func lambdaDollars(invocationsPerSecond, concurrency float64, memory int) float64 {
	gbSeconds := concurrency * monthSeconds * float64(memory) / 1024
	return invocationsPerSecond*monthSeconds*lambdaRequest + priced(lambdaARM, gbSeconds)
}
