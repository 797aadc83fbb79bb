// Builds a JSON object member by member, on one line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <array>
#include <string>
#include <string_view>

#include "json.h"

namespace bench {

class JsonObject {
 public:
  JsonObject& raw(std::string_view name, std::string_view json) {
    text_ += text_.size() == 1 ? "" : ",";
    text_ += jsonQuote(name);
    text_ += ":";
    text_ += json;
    return *this;
  }
  JsonObject& text(std::string_view name, std::string_view value) {
    return raw(name, jsonQuote(value));
  }
  JsonObject& count(std::string_view name, std::uint64_t value) {
    return raw(name, std::to_string(value));
  }
  JsonObject& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  JsonObject& number(std::string_view name, double value) {
    std::array<char, 64> digits{};
    std::snprintf(digits.data(), digits.size(), "%.4f", value);
    return raw(name, digits.data());
  }
  std::string end() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

}  // namespace bench
