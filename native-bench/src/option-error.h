// The error for unusable options.
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

/** Quotes a value for an error message. */
inline std::string quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

}  // namespace bench
