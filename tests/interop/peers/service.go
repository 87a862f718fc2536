// A service on Go's net/http: `service REQUESTS IDLE` prints its port. Each REQUESTS-th answer ends its connection, and so do
// IDLE milliseconds without a request. See service.mjs for the paths.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

func pattern(length int) []byte {
	body := make([]byte, length)
	for at := range body {
		body[at] = byte(at % 251)
	}
	return body
}

func inMany(to http.ResponseWriter, body []byte) {
	sizes := []int{1, 4096, 100, 8192, 16384, 3, 65536, 5000}
	for turn := 0; len(body) > 0; turn++ {
		size := sizes[turn%len(sizes)]
		if size > len(body) {
			size = len(body)
		}
		to.Write(body[:size])
		to.(http.Flusher).Flush()
		body = body[size:]
	}
}

func packed(body []byte) []byte {
	var to bytes.Buffer
	writer := gzip.NewWriter(&to)
	writer.Write(body)
	writer.Close()
	return to.Bytes()
}

func echo(to http.ResponseWriter, request *http.Request) {
	hash := sha256.New()
	length, err := io.Copy(hash, request.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	framing, asked := "none", "none"
	if len(request.TransferEncoding) > 0 {
		framing = request.TransferEncoding[0]
	} else if request.Header.Get("Content-Length") != "" || request.ContentLength >= 0 {
		framing = "length"
	}
	if upgrade := request.Header.Get("Upgrade"); upgrade != "" {
		asked = upgrade
	}
	fmt.Fprintf(to, "%s %d %x %s %s\n", request.Method, length, hash.Sum(nil), framing, asked)
}

func main() {
	every, _ := strconv.ParseInt(os.Args[1], 10, 64)
	idle, _ := strconv.Atoi(os.Args[2])
	var count int64
	handler := func(to http.ResponseWriter, request *http.Request) {
		if every > 0 && atomic.AddInt64(&count, 1)%every == 0 {
			to.Header().Set("Connection", "close")
		}
		to.Header().Set("Content-Type", "text/plain")
		parts := strings.Split(request.URL.Path, "/")
		if parts[1] == "echo" {
			echo(to, request)
			return
		}
		length, _ := strconv.Atoi(parts[2])
		body := pattern(length)
		switch parts[1] {
		case "sized":
			to.Header().Set("Content-Length", strconv.Itoa(len(body)))
			to.Write(body)
		case "one":
			// Flushed first, or Go would count what is small.
			to.(http.Flusher).Flush()
			to.Write(body)
		case "many":
			inMany(to, body)
		case "gzip":
			body = packed(body)
			to.Header().Set("Content-Encoding", "gzip")
			to.Header().Set("Content-Length", strconv.Itoa(len(body)))
			to.Write(body)
		case "gzip-stream":
			to.Header().Set("Content-Encoding", "gzip")
			inMany(to, packed(body))
		default:
			to.WriteHeader(404)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: http.HandlerFunc(handler), IdleTimeout: time.Duration(idle) * time.Millisecond}
	panic(server.Serve(listener))
}
