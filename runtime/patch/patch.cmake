# SPDX-License-Identifier: MIT
# What sources may include travels inside the runtime: the headers' text, as one assembled table.
file(GLOB CARRIED CONFIGURE_DEPENDS runtime/patch/include/*.h)
file(GLOB CARRIED_STATE CONFIGURE_DEPENDS actors/*.h)
list(PREPEND CARRIED ${CMAKE_SOURCE_DIR}/runtime/actor.h)
list(APPEND CARRIED ${CARRIED_STATE})
# At the end of actor.h, for libtcc alone: it describes a type where that is first used, and what is used
# here the trial's process has described once for all sources (image_ready). Takes no room in a program.
string(CONCAT CARRIED_IN_ACTOR_H "#ifdef __TINYC__\\n"
  "static const struct actor_type actord_types_[0];\\n"
  "static const struct actor_site actord_sites_[0];\\n"
  "static const struct msg_item actord_items_[0];\\n" "#endif\\n#endif\\n")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtime/actor.h)
set(CARRIED_TABLE "")
set(CARRIED_TEXT "")
foreach(header ${CARRIED})
  get_filename_component(name ${header} NAME)
  string(MAKE_C_IDENTIFIER ${name} id)
  string(APPEND CARRIED_TABLE "\t.quad .Lname_${id}, .Ltext_${id}, .Lend_${id} - .Ltext_${id}\n")
  set(incbin "\t.incbin \"${header}\"")
  if(name STREQUAL actor.h)
    file(SIZE ${header} size)
    math(EXPR size "${size} - 7")
    file(READ ${header} end OFFSET ${size})
    if(NOT end STREQUAL "#endif\n")
      message(FATAL_ERROR "${header} does not end with #endif, which guards it")
    endif()
    string(APPEND incbin ", 0, ${size}\n\t.ascii \"${CARRIED_IN_ACTOR_H}\"")
  endif()
  string(APPEND CARRIED_TEXT ".Lname_${id}:\t.asciz \"${name}\"\n"
    ".Ltext_${id}:${incbin}\n" ".Lend_${id}:\t.byte 0\n")
endforeach()
# The shipped actors' sources too: they say what a type was made from.
file(GLOB CARRIED_ACTORS CONFIGURE_DEPENDS actors/*.c)
set(CARRIED_SOURCES "")
foreach(source ${CARRIED_ACTORS})
  get_filename_component(name ${source} NAME_WE)
  string(APPEND CARRIED_SOURCES
    "\t.quad .Lactor_${name}, .Lsource_${name}, .Lstop_${name} - .Lsource_${name}\n")
  string(APPEND CARRIED_TEXT ".Lactor_${name}:\t.asciz \"${name}\"\n"
    ".Lsource_${name}:\t.incbin \"${source}\"\n" ".Lstop_${name}:\t.byte 0\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/carried.S @ONLY CONTENT "/* made by CMake from the headers */
	.section .note.GNU-stack,\"\",@progbits
	.section .data.rel.ro,\"aw\",@progbits
	.balign 8
	.globl headers_carried
headers_carried:
${CARRIED_TABLE}	.quad 0, 0, 0
	.globl sources_carried
sources_carried:
${CARRIED_SOURCES}	.quad 0, 0, 0
	.section .rodata
${CARRIED_TEXT}")
set_source_files_properties(${CMAKE_BINARY_DIR}/carried.S PROPERTIES OBJECT_DEPENDS
  "${CARRIED};${CARRIED_ACTORS}")
target_sources(runtime PRIVATE ${CMAKE_BINARY_DIR}/carried.S)

# libtcc in a box (box.c): its files are read from that table, its memory is counted, it cannot end the
# process, and its variables lie together, so that they can be reset after a source has upset them.
set(TCC_BOXED ${CMAKE_BINARY_DIR}/libtcc_boxed.a)
add_custom_command(OUTPUT ${TCC_BOXED} DEPENDS ${TCC_LIBRARY} ${CMAKE_CURRENT_LIST_FILE}
  COMMAND ${CMAKE_OBJCOPY} --rename-section .data=tcc_data --rename-section .bss=tcc_bss
    --redefine-sym open=headers_open --redefine-sym read=headers_read
    --redefine-sym close=headers_close --redefine-sym mprotect=box_mprotect
    --redefine-sym malloc=box_malloc --redefine-sym calloc=box_calloc
    --redefine-sym realloc=box_realloc --redefine-sym free=box_free
    --redefine-sym exit=box_exit ${TCC_LIBRARY} ${TCC_BOXED} VERBATIM)
add_custom_target(tcc_boxed DEPENDS ${TCC_BOXED})
add_dependencies(runtime tcc_boxed)
target_link_libraries(runtime PUBLIC ${TCC_BOXED} m dl)
