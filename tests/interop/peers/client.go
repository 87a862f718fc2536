// Go's net/http: `client URL CA VERSION [CASES]` prints one line of JSON for each case.
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func pattern(length int) []byte {
	body := make([]byte, length)
	for at := range body {
		body[at] = byte(at % 251)
	}
	return body
}

// A reader whose length the client cannot see, in pieces of many sizes.
type pieces struct {
	left []byte
	turn int
}

func (body *pieces) Read(to []byte) (int, error) {
	sizes := []int{1, 4096, 100_000, 8192, 65536, 3}
	if len(body.left) == 0 {
		return 0, io.EOF
	}
	size := sizes[body.turn%len(sizes)]
	body.turn++
	if size < len(to) {
		to = to[:size]
	}
	count := copy(to, body.left)
	body.left = body.left[count:]
	return count, nil
}

func main() {
	url, caFile, version := os.Args[1], os.Args[2], os.Args[3]
	only := strings.Join(os.Args[4:], ",")
	pem, err := os.ReadFile(caFile)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: version == "2"}
	client := http.Client{Transport: transport}
	tls12 := map[string]string{"Connection": "Upgrade", "Upgrade": "TLS/1.2"}
	h2c := map[string]string{
		"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA",
	}
	const chunked = -2
	cases := []struct {
		name, method, path string
		length             int
		fields             map[string]string
	}{
		{"get", "GET", "/sized/1000000", -1, nil},
		{"head", "HEAD", "/sized/1000000", -1, nil},
		{"post-0", "POST", "/echo", 0, nil},
		{"post-10", "POST", "/echo", 10_000_000, nil},
		{"post-20", "POST", "/echo", 20_000_000, nil},
		{"chunked", "POST", "/echo", chunked, nil},
		{"early", "POST", "/early", 20_000_000, nil},
		{"upgrade", "GET", "/echo", -1, tls12},
		{"upgrade-post", "POST", "/echo", 100_000, h2c},
		{"again", "GET", "/many/100000", -1, nil},
	}
	for _, one := range cases {
		if only != "" && !strings.Contains(","+only+",", ","+one.name+",") || version == "2" && strings.HasPrefix(one.name, "upgrade") {
			continue
		}
		var body io.Reader
		if one.length >= 0 {
			body = bytes.NewReader(pattern(one.length))
		} else if one.length == chunked {
			body = &pieces{left: pattern(10_000_000)}
		}
		line := map[string]any{"case": one.name}
		if err := exchange(client, one.method, url+one.path, body, one.fields, line); err != nil {
			line["error"] = err.Error()
		}
		text, _ := json.Marshal(line)
		fmt.Println(string(text))
	}
}

func exchange(
	client http.Client, method, url string, body io.Reader, fields map[string]string, line map[string]any,
) error {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return err
	}
	for name, value := range fields {
		request.Header.Set(name, value)
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	line["version"] = strings.TrimSuffix(strings.TrimPrefix(answer.Proto, "HTTP/"), ".0")
	line["status"], line["bytes"] = answer.StatusCode, len(content)
	line["length"] = answer.Header.Get("Content-Length")
	line["sha256"] = hex.EncodeToString(sum[:])
	if len(content) < 1000 {
		line["text"] = string(content)
	}
	return nil
}
