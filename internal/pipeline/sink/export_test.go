package sink

// SaysAllTaken is for tests: that it is true shows in nothing but the CPU time.
var SaysAllTaken = saysAllTaken
