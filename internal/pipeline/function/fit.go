package function

import (
	"runtime"
	"runtime/debug"
	"strconv"
)

// perVCPU is the memory, in MB, with which a function has one vCPU.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const perVCPU = 1769

// fit limits Go to as many threads as the function has vCPUs, and to 80 % of the
// function's memory before it collects garbage more often. It has no effect outside
// Lambda, and does not override GOMAXPROCS and GOMEMLIMIT. Main calls it after the
// initialization, for which Lambda provides more CPU.
//
// A function with up to one vCPU sees two. With two threads, a request of ingest
// takes 278 µs of CPU instead of 197 µs, because the threads pass its work back and
// forth.
func fit(getenv func(string) string) {
	memory, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil {
		return
	}
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.NumCPU(), vCPUs(memory)))
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memory) << 20 / 10 * 8)
	}
}

// vCPUs is the rounded number of vCPUs of a function with the given memory in MB. It
// is at least 1.
func vCPUs(memory int) int {
	return max(1, (memory+perVCPU/2)/perVCPU)
}
