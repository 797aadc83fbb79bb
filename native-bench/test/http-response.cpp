#include "../src/http-response.h"

#include <string>

#include "check.h"

using namespace bench;

namespace {

constexpr std::string_view kPlain =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 14\r\n\r\n{\"status\":200}";
constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\n{\"sta\r\n9;name=value\r\ntus\":200}\r\n0\r\nTrailer: of no use\r\n\r\n";

HttpStatus statusOf(std::string_view input) {
  HttpResponse response;
  return decodeResponse(input, response);
}

/** Returns kPlain with a part replaced. */
std::string with(std::string_view part, std::string_view instead) {
  std::string text(kPlain);
  return text.replace(text.find(part), part.size(), instead);
}

}  // namespace

TEST("reads a body by its length or its chunks, and nothing beyond it") {
  for (const std::string_view form : {kPlain, kChunked}) {
    HttpResponse response;
    CHECK(decodeResponse(std::string(form) + "HTTP/1.1", response) == HttpStatus::complete);
    CHECK(response.status == 200 && response.body == R"({"status":200})");
    CHECK(response.isKept && response.bytes == form.size());
  }
}

TEST("a response is incomplete at every byte before its last") {
  for (const std::string_view form : {kPlain, kChunked}) {
    for (std::size_t end = 0; end < form.size(); ++end) {
      CHECK(statusOf(form.substr(0, end)) == HttpStatus::incomplete);
    }
  }
}

TEST("204 and 304 have no body, and any response may have a length of 0") {
  HttpResponse response;
  CHECK(decodeResponse("HTTP/1.1 204 No Content\r\n\r\n", response) == HttpStatus::complete);
  CHECK(response.status == 204 && response.body.empty() && response.bytes == 27);
  CHECK(statusOf("HTTP/1.1 304\r\n\r\n") == HttpStatus::complete);
  CHECK(statusOf("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") == HttpStatus::complete);
}

TEST("a connection is kept unless the server says otherwise or speaks HTTP/1.0") {
  for (const std::string& text :
       {with("Content-Type: application/json", "Connection: Close"), with("HTTP/1.1", "HTTP/1.0")}) {
    HttpResponse response;
    CHECK(decodeResponse(text, response) == HttpStatus::complete && !response.isKept);
  }
}

TEST("refuses anything but an HTTP/1 response with a valid length") {
  for (const std::string& text :
       {with("HTTP/1.1", "HTTP/2.0"), with("200 OK", "100 Continue"), with("200 OK", "2000"),
        with("200 OK", "abc"), with("length: 14", "length: -1"), with("length: 14", "length: 0x5"),
        with("length: 14", "length: 14\r\ncontent-length: 14"), with("content-length", "x"),
        with("Content-Type: ", ": "), with("Content-Type: ", "Content-Type "),
        with("content-length: 14", "transfer-encoding: gzip, chunked"),
        with("Content-Type: application/json", "Transfer-Encoding: chunked"),
        with("length: 14", "length: 16777217")}) {
    CHECK(statusOf(text) == HttpStatus::invalid);
  }
  const std::string head(kChunked.substr(0, kChunked.find("5\r\n")));
  for (const auto chunks : {"x\r\n", "\r\n", "5\r\n12345678", "1000001\r\n"}) {
    CHECK(statusOf(head + chunks) == HttpStatus::invalid);
  }
}

TEST("a head and trailers must end within 16 KB, and chunks within 16 MB together") {
  const std::string endless(kMaxHttpHeadBytes, 'a');
  CHECK(statusOf("HTTP/1.1 200 OK\r\nx: " + endless) == HttpStatus::invalid);
  const std::string head(kChunked.substr(0, kChunked.find("5\r\n")));
  CHECK(statusOf(head + endless + "a") == HttpStatus::invalid);
  CHECK(statusOf(head + "0\r\nx: " + endless) == HttpStatus::invalid);
  const std::string half = "800000\r\n" + std::string(kMaxHttpBodyBytes / 2, 'x') + "\r\n";
  CHECK(statusOf(head + half + half + "0\r\n\r\n") == HttpStatus::complete);
  CHECK(statusOf(head + half + half + "1\r\n") == HttpStatus::invalid);
}
