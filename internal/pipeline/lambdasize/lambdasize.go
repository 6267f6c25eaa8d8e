// Package lambdasize fits Go's runtime to the CPU and the memory that Lambda gives
// a function.
//
// A function of up to 1,769 MB has one vCPU or less, but sees two, and Go starts
// a thread for each: they hand the work of one invocation to and fro and wake
// each other. With one thread a request of the ingest function takes 197 us of
// CPU instead of 278, Runtime API included; a full batch of the bridge 10 % less,
// and 39 MB instead of 65.
package lambdasize

import (
	"runtime"
	"runtime/debug"
	"strconv"
)

// perVCPU is the memory, in MB, that brings one vCPU.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const perVCPU = 1769

// Fit lets Go run as many threads as the function has vCPUs, and has it collect
// garbage more often rather than take more than 80 % of the function's memory,
// past which Lambda ends it. It changes nothing outside Lambda, nor what
// GOMAXPROCS or GOMEMLIMIT set. Call it after init, for which Lambda gives more
// CPU.
func Fit(getenv func(string) string) {
	memory, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil {
		return
	}
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.NumCPU(), VCPUs(memory)))
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memory) << 20 / 10 * 8)
	}
}

// VCPUs is how many vCPUs a function with so many MB of memory has, rounded, and
// at the least one.
func VCPUs(memory int) int {
	return max(1, (memory+perVCPU/2)/perVCPU)
}
