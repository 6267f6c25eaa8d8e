package main

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"time"
)

// answer is the body of a 202 answer.
type answer struct {
	ID      string
	Records int
}

var client = &http.Client{Timeout: 10 * time.Second}

// post sends a body, and sends it again after 408, 429, 5xx and network faults.
func post(path string, body []byte) (answer, error) {
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(body); err != nil {
		return answer{}, err
	}
	if err := w.Close(); err != nil {
		return answer{}, err
	}
	key := rand.Text() // the same for all tries
	for i, tries := 0, 6; ; i++ {
		a, status, err := try(path, key, compressed.Bytes())
		switch {
		case err == nil:
			return a, nil
		case status >= 400 && status < 500 && status != 408 && status != 429, i == tries-1:
			return answer{}, err
		}
		time.Sleep(mathrand.N(100 * time.Millisecond << i))
	}
}

// try sends one request. status is 0 if there was no answer.
func try(path, key string, compressed []byte) (a answer, status int, err error) {
	r, err := http.NewRequest(http.MethodPost, os.Getenv("API_URL")+"/archives/"+path, bytes.NewReader(compressed))
	if err != nil {
		return answer{}, 0, err
	}
	r.SetBasicAuth(os.Getenv("DATASINK_USER"), os.Getenv("DATASINK_PASSWORD"))
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Content-Encoding", "gzip")
	r.Header.Set("Idempotency-Key", key)
	response, err := client.Do(r)
	if err != nil {
		return answer{}, 0, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, 0, err
	}
	if response.StatusCode != http.StatusAccepted {
		return answer{}, response.StatusCode, fmt.Errorf("%s: %s", response.Status, b)
	}
	return a, response.StatusCode, json.Unmarshal(b, &a)
}

func main() {
	one, err := post("orders", []byte(`{"from":"go","n":1}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(one.ID)

	var lines bytes.Buffer
	for n := 2; n <= 4; n++ {
		fmt.Fprintf(&lines, "{\"from\":\"go\",\"n\":%d}\n", n)
	}
	batch, err := post("orders/batch", lines.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if batch.Records != 3 {
		log.Fatalf("%d records, want 3", batch.Records)
	}
	fmt.Println(batch.ID, batch.Records)
}
