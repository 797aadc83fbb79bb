// The payload of every push: `{"n":<number of the send>,"text":"xxx..."}`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "json.h"

namespace bench {

class Payload {
 public:
  explicit Payload(std::size_t textBytes) : text_(textBytes, 'x') {}

  std::string encode(std::uint64_t send) const {
    return "{\"n\":" + std::to_string(send) + ",\"text\":\"" + text_ + "\"}";
  }

  /** Returns the number of the send, or nothing if this is not an unchanged payload of the run. */
  std::optional<std::uint64_t> decode(std::string_view json) const {
    const auto number = jsonMember(json, "n");
    const auto text = jsonMember(json, "text");
    if (!number || !text || jsonStringBody(*text) != std::string_view(text_)) return std::nullopt;
    return jsonUnsigned(*number);
  }

 private:
  std::string text_;
};

}  // namespace bench
