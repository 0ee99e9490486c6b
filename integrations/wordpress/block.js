( function ( wp ) {
	wp.blocks.registerBlockType( 'newsletter-door/form', {
		edit: function () {
			return wp.element.createElement( 'p', wp.blockEditor.useBlockProps(), 'Newsletter form' );
		},
		save: function () {
			return null;
		},
	} );
} )( window.wp );
