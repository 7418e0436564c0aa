# Races of one's own programs as tests of CTest.
#
#     include(ci/sigrace.cmake)
#     add_executable(server server.c)
#     sigrace_test(server ARGUMENTS --port 8080 OPTIONS --send SIGTERM --time 30s)
#
# `ctest --label-regex races` runs these alone, `ctest --output-on-failure` shows what was found and the line that runs it again.
find_program(SIGRACE sigrace REQUIRED)

function(sigrace_test target)
    cmake_parse_arguments(RACE "" "" "ARGUMENTS;OPTIONS" ${ARGN})
    set(name "${target}-has-no-races")
    add_test(NAME "${name}"
        COMMAND "${SIGRACE}" explore --trace-dir "${CMAKE_BINARY_DIR}/sigrace-traces" ${RACE_OPTIONS}
                -- "$<TARGET_FILE:${target}>" ${RACE_ARGUMENTS})
    # 69: this host does not allow what a run needs. `sigrace doctor` says what that is.
    set_tests_properties("${name}" PROPERTIES LABELS races SKIP_RETURN_CODE 69 TIMEOUT 1800)
endfunction()
