package apiserver_test

import "strings"

// hostile are values for parameters, escaped as they stand in a path.
var hostile = []string{
	"x", "0", "-1", "1", "9223372036854775807", "9223372036854775808", "99999999999999999999999999", "1.5", "1e9", "0x10", "NaN", "null",
	"%00", "a%00b", "%ff%fe", "%C0%AE", "..", "..%2F..%2Fetc%2Fpasswd", "%2E%2E", "a%2Fb", "%2F", "%5C", ".git", "x.git", "%20", "%0D%0ASet-Cookie:%20x",
	"';DROP%20TABLE%20runs;--", "%25", "%25s%25n", "%7B%7B.%7D%7D", "$%7Bjndi:x%7D", "%F0%9F%92%A5", "%E2%80%AE", "*", "%3Cscript%3E", "?", "~", "api",
	strings.Repeat("a", 5000), strings.Repeat("%F0%9F%92%A5", 500),
}

// craftedBodies are wrong in what they say, each for some route.
var craftedBodies = []string{
	"", "{", "{}", "[]", "null", "0", `"x"`, "\x00", "\xff\xfe", `{"ref":null,"inputs":null,"name":null}`,
	`{"ref":"\u0000","name":"\u0000","username":"\u0000","permission":"\u0000"}`, `{"ref":"\ud800","name":"\ud800"}`,
	`{"ref":{},"name":{},"username":{},"disabled":{},"scopes":{},"permission":{},"role":{}}`,
	`{"wait_timer":1e400}`, `{"wait_timer":-1}`, `{"wait_timer":2147483648}`, `{"wait_timer":[],"reviewers":{}}`, `{"reviewers":[null]}`,
	`{"reviewers":[{"type":"User","id":-2},{"type":"User","id":9223372036854775807}]}`, `{"reviewers":[{"type":"\u0000","id":"1"}]}`,
	`{"environment_ids":[9223372036854775807,-1,0],"state":"approved","comment":"\ud800\n"}`, `{"environment_ids":[1],"state":"rejected"}`,
	`{"environment_ids":["1"],"state":1,"comment":{}}`, `{"max_running_jobs":-1}`, `{"max_running_jobs":9223372036854775807}`,
	`{"max_running_jobs":null,"paused":null,"approval":null}`, `{"max_running_jobs":{},"paused":"x","approval":[]}`, `{"approval":"\u0000"}`,
	`{"type":"gitea","config":{"url":"http://[::1","content_type":"json"}}`, `{"type":"gitea","config":{"url":"javascript:1","content_type":"xml"}}`,
	`{"type":"gitea","config":null,"events":[null,1]}`, `{"type":"gitea","config":{"url":"http://x/","content_type":"json","secret":"\u0000"}}`,
	`{"config":{"url":"http://a:b@x/"},"authorization_header":"a\r\nb","branch_filter":"[[[","events":["","\ud800"],"active":null}`,
	`{"required":null}`, `{"required":"yes"}`, `{"state":"success","context":"\ud800","target_url":"javascript:x"}`,
	`{"content":"%%%","sha":"x"}`, `{"content":"eA==","sha":"x","branch":"..","author":{"name":"<","email":"\n"}}`, `{"content":{}}`,
	`{"content":"eA==","message":"\u0000"}`, `{"content":"","branch":"none","author":{"name":"..."}}`,
	`{"state":"\u0000"}`, `{"state":"success","target_url":"http://[::1","description":{}}`, `{"state":"pending"}`,
	`{"data":"x","value":"x","description":{}}`, `{"data":null,"value":null}`, `{"data":{},"value":[]}`,
	`{"data":"\ud800\u0001","value":"\ud800\u0001","description":"\u0001"}`, `{"value":"x","name":"\u0000"}`, `{"value":"x","name":"a b"}`,
	`{"ref":"main","name":"x","username":"x","disabled":1e400,"scopes":["\u0000"],"permission":"read","role":"owner"}`,
	strings.Repeat("[", 100_000), `{"inputs":{"` + strings.Repeat("a", 100_000) + `":"b"},"ref":"main"}`,
}

// hostileHeaders are sent with every route.
var hostileHeaders = []string{
	"Authorization: Basic", "Authorization: Basic %%%", "Authorization: Basic Og==", "Authorization: Bearer \xff", "Authorization: Digest x",
	"Sudo: nobody", "Sudo: \xff", "Range: bytes=9-1", "Range: bytes=0-0," + strings.Repeat("1-1,", 500), "If-None-Match: " + strings.Repeat(`"x",`, 2000),
	"If-None-Match: *", "Accept-Encoding: gzip;q=NaN, *;q=-1", "X-Forwarded-For: " + strings.Repeat("::,", 2000), "X-Forwarded-Host: a b/<x>",
	"Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary=x", "Content-Type: application/x-www-form-urlencoded",
	"Content-Type: \xff/;;=", "Content-Encoding: gzip", "Last-Event-ID: -9223372036854775809", "X-HTTP-Method-Override: DELETE",
	"X-Request-Id: \xff\xfe", "Expect: 100-continue", "Origin: null", "Idempotency-Key: " + strings.Repeat("x", 5000),
}

// hostileJSON are the values that fields get.
var hostileJSON = []string{
	"null", "{}", "[]", `""`, `"\u0000"`, `"\ud800"`, `"x"`, "-1", "0", "1", "1.5", "1e400", "9223372036854775807", "9223372036854775808", "true",
	`["\u0000"]`, "[null]", "[[]]", "[-1]", `{"":null}`, `"../../x"`, `"'; DROP TABLE runs; --"`, `"a\r\nSet-Cookie: x"`, `"` + strings.Repeat("é", 20_000) + `"`,
	`"2026-13-45T99:99:99Z"`, `"http://169.254.169.254/"`, strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
}

// wholeBodies are no objects, or objects that are too much.
var wholeBodies = []string{
	"", "{", "null", "[]", `"x"`, "\x00", "\xff\xfe\xfd", "{}{}", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
	strings.Repeat(`{"a":`, 100_000), `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "a=b&" + strings.Repeat("c=&", 20_000), "%zz=%zz",
}
