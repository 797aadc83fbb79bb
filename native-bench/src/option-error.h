// The error for options that cannot be used.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace bench {

/** An unusable option. `what()` is one line: subject, must, unit, got. */
class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/** Quotes a given value for an error. */
inline std::string quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

}  // namespace bench
