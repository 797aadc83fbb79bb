#include "../src/json.h"

#include <array>

#include "check.h"

using namespace bench;
using namespace std::string_view_literals;

TEST("escapes what JSON requires and leaves the rest") {
  CHECK(jsonQuote("") == "\"\"");
  CHECK(jsonQuote("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(jsonQuote("\n\x1f\0"sv) == "\"\\u000a\\u001f\\u0000\"");
  CHECK(jsonQuote("\x7f\xC3\xA9/") == "\"\x7f\xC3\xA9/\"");
}

TEST("extracts elements of an array, whatever is nested in them") {
  std::array<std::string_view, 4> elements;
  CHECK(jsonElements(R"( [ null , "a\"],b\\" ,{"x":[1,{"y":"]}"}]}, -1.5e3 ])", elements));
  CHECK(elements[0] == "null");
  CHECK(elements[1] == R"("a\"],b\\")");
  CHECK(elements[2] == R"({"x":[1,{"y":"]}"}]})");
  CHECK(elements[3] == "-1.5e3");
}

TEST("refuses an array that is too short or truncated, and other values") {
  std::array<std::string_view, 2> elements;
  for (const auto text : {"", "{}", "[1]", "[1,", "[1,2", "[1 2]", "[\"a", "[[1,2]"}) {
    CHECK(!jsonElements(text, elements));
  }
  CHECK(jsonElements("[1,2,3]", elements));
}

TEST("finds members of an object, but not inside its values") {
  constexpr std::string_view kObject = R"({ "a" : {"b":1} , "c":"}", "b" : 2 })";
  CHECK(jsonMember(kObject, "a") == R"({"b":1})");
  CHECK(jsonMember(kObject, "b") == "2");
  CHECK(jsonMember(kObject, "c") == "\"}\"");
  CHECK(!jsonMember(kObject, "d"));
  CHECK(!jsonMember("{}", "a"));
  CHECK(!jsonMember("[1]", "a"));
  CHECK(!jsonMember(R"({"a":)", "a"));
}

TEST("parses whole numbers only") {
  CHECK(jsonUnsigned("0") == 0U);
  CHECK(jsonUnsigned("18446744073709551615") == 18446744073709551615ULL);
  for (const auto text : {"", "-1", "1.0", "1e3", "18446744073709551616", "x"}) {
    CHECK(!jsonUnsigned(text));
  }
}

TEST("finds the end of a string by counting the backslashes before a quote") {
  std::array<std::string_view, 2> elements;
  CHECK(jsonElements(R"(["\\\\","\\\""])", elements));
  CHECK(elements[0] == R"("\\\\")" && elements[1] == R"("\\\"")");
  CHECK(!jsonElements(R"(["\\\", 1])", elements));
}

TEST("extracts all elements of an array, however many") {
  CHECK(jsonArray("[]")->empty() && jsonArray(" [ ] ")->empty());
  const auto elements = jsonArray(R"([ "a]", [1,{"b":"}"}] ,null])");
  CHECK(elements && elements->size() == 3);
  CHECK(elements && (*elements)[0] == R"("a]")" && (*elements)[1] == R"([1,{"b":"}"}])" && (*elements)[2] == "null");
  for (const auto text : {"", "{}", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]"}) CHECK(!jsonArray(text));
}

TEST("decodes the escapes of a string") {
  CHECK(jsonUnquote(R"("")") == "" && jsonUnquote(R"("a")") == "a");
  CHECK(jsonUnquote(R"("[\"1\",\"\\\/\b\f\n\r\t\"]")") == "[\"1\",\"\\/\b\f\n\r\t\"]");
  CHECK(jsonUnquote(R"("\u0041\u00e4\u20AC\ud83d\ude00\u0000")") ==
        std::string("A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\0", 11));
  for (const auto text : {"", "a", "1", R"("\x")", R"("\u12")", R"("\u-123")", R"("\ud83d")", R"("\ud83dabcdefg")",
                          R"("\ud83d\u0041")", R"("\)"}) {
    CHECK(!jsonUnquote(text));
  }
}
