# SPDX-License-Identifier: MIT
# The page's files travel inside the program, and the clients' module, which it uses: one table.
file(GLOB PAGE_FILES CONFIGURE_DEPENDS runtime/page/*.html runtime/page/*.css runtime/page/*.js
  tools/clients/*.js)
set(PAGE_TABLE "")
set(PAGE_TEXT "")
foreach(file ${PAGE_FILES})
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} id)
  string(APPEND PAGE_TABLE "\t.quad .Lname_${id}, .Ltext_${id}, .Lend_${id} - .Ltext_${id}\n")
  string(APPEND PAGE_TEXT ".Lname_${id}:\t.asciz \"${name}\"\n"
    ".Ltext_${id}:\t.incbin \"${file}\"\n" ".Lend_${id}:\t.byte 0\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/page.S @ONLY CONTENT "/* made by CMake from runtime/page */
	.section .note.GNU-stack,\"\",@progbits
	.section .data.rel.ro,\"aw\",@progbits
	.balign 8
	.globl page_carried
page_carried:
${PAGE_TABLE}	.quad 0, 0, 0
	.section .rodata
${PAGE_TEXT}")
set_source_files_properties(${CMAKE_BINARY_DIR}/page.S PROPERTIES OBJECT_DEPENDS "${PAGE_FILES}")
target_sources(runtime PRIVATE ${CMAKE_BINARY_DIR}/page.S)
